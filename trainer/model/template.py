"""A checkpoint's own chat template, against the layout that its family's prompts are written in."""

from __future__ import annotations

import json
from pathlib import Path

from earwitness.chat import render_prompt
from earwitness.families.family import THINK, Layout
from earwitness.wire.trajectory.v1 import trajectory_pb2

FILES = ("chat_template.jinja", "chat_template.json", "tokenizer_config.json")
"""Where one may stand: a processor's, which knows clips, first."""


def of_template(model_dir: Path, prompt: trajectory_pb2.Prompt, layout: Layout) -> tuple[str, str] | None:
    """What the template makes of a prompt with one clip, and what we write, the think block not opened unless the
    template opens it. None: there is no template. One that cannot be rendered says why in the place of its text."""
    text = _template(model_dir)
    if text is None:
        return None
    theirs = _rendered(text, prompt.question, layout.audio_first)
    ours = render_prompt(trajectory_pb2.Prompt(question=prompt.question), [[1]], layout)
    return theirs, ours if theirs.endswith(f"{THINK}\n") else ours.removesuffix(f"{THINK}\n")


def _template(model_dir: Path) -> str | None:
    for name in FILES:
        path = model_dir / name
        if not path.exists():
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".jinja":
            return text
        found = json.loads(text).get("chat_template")
        if isinstance(found, str):
            return found
    return None


def _rendered(template: str, question: str, audio_first: bool) -> str:
    from jinja2.exceptions import TemplateError
    from transformers.utils.chat_template_utils import render_jinja_template

    content = [{"type": "audio", "audio": "clip.wav", "audio_url": "clip.wav"}, {"type": "text", "text": question}]
    messages = [{"role": "user", "content": content if audio_first else content[::-1]}]
    try:
        # in a sandbox: a template comes with a checkpoint
        (text,), _ = render_jinja_template([messages], chat_template=template, add_generation_prompt=True)
    except (TemplateError, TypeError, ValueError) as error:
        return f"cannot be rendered: {error}"
    return str(text)
