"""`/v1/realtime`: a conversation over a WebSocket, in OpenAI's Realtime vocabulary."""
