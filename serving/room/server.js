// The server, as the page sees it.

let token = sessionStorage.getItem("token") || "";

export function useToken(given) {
  token = given;
  sessionStorage.setItem("token", given);
}

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function call(path, body, signal) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal });
  if (response.ok) return response;
  const said = await response.json().catch(() => ({}));
  throw new Refused(response.status, said.error?.message || `status ${response.status}`);
}

export async function model() {
  return (await (await call("/v1/models")).json()).data[0].id;
}

/** What is measured of a clip. */
export async function listen(data) {
  return (await call("/v1/listen", { data })).json();
}

/** A WebSocket; browsers show a token in the name of a protocol. */
export function conversation() {
  const url = new URL("/v1/realtime", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return new WebSocket(url, ["realtime", ...(token ? [`openai-insecure-api-key.${token}`] : [])]);
}

/** Chunks of the answer, as they come. */
export async function* ask(name, data, question, signal) {
  const content = [{ type: "text", text: question }];
  if (data) content.unshift({ type: "input_audio", input_audio: { data, format: "wav" } });
  const request = { model: name, messages: [{ role: "user", content }], stream: true, verify: Boolean(data) };
  const response = await call("/v1/chat/completions", request, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line === "data: [DONE]") return;
      const chunk = JSON.parse(line.slice("data: ".length));
      if (chunk.error) throw new Refused(500, chunk.error.message);
      yield chunk;
    }
  }
}
