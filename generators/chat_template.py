"""Chat templates: the text a chat model reads when a user sends one message.

Templates are Jinja2 programs that come with tokenizers. They are run as transformers runs them
(`apply_chat_template`), in a sandbox, except that the date they may ask for stands still.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import Node
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

TODAY = datetime(2024, 7, 26)  # a fixed day: a sample may not depend on when it was made


class ChatTemplate:
    """A compiled template with the special tokens it may name (`bos_token`, ...). Raises ValueError if it is broken."""

    def __init__(self, source: str, special_tokens: dict[str, str]):
        self.source = source
        self.special_tokens = special_tokens
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationBlock, loopcontrols]
        )
        environment.filters["tojson"] = _tojson
        environment.globals["raise_exception"] = _raise_exception
        environment.globals["strftime_now"] = TODAY.strftime
        try:
            self._template = environment.from_string(source)
        except jinja2.TemplateError as error:
            raise ValueError(f"the chat template cannot be read: {error}") from error

    def render(self, prompt: str) -> str:
        """Text of a chat of one user message, generation prefix included. Raises ValueError if the template fails."""
        try:
            return self._template.render(
                messages=[{"role": "user", "content": prompt}],
                tools=None,
                documents=None,
                add_generation_prompt=True,
                **self.special_tokens,
            )
        except (jinja2.TemplateError, TypeError) as error:
            raise ValueError(f"the chat template refuses a single user message: {error}") from error


def find_chat_template(folder: Path, config: dict[str, Any]) -> str | None:
    """Find the template a tokenizer's folder means by default, or None if it has none.

    `chat_template.jinja` goes before `config["chat_template"]` (a text, or named texts, `default` taken), and that
    before a processor's `chat_template.json`. Raises ValueError if there are only templates of other names.
    """
    if (file := folder / "chat_template.jinja").is_file():
        return file.read_text(encoding="utf-8")
    found = config.get("chat_template")
    if found is None and (file := folder / "chat_template.json").is_file():
        found = json.loads(file.read_text(encoding="utf-8")).get("chat_template")
    if isinstance(found, list):
        found = {named["name"]: named["template"] for named in found}
    if isinstance(found, dict):
        if "default" not in found:
            raise ValueError(f"none of its chat templates ({', '.join(found)}) is called default")
        found = found["default"]
    return found


class _GenerationBlock(Extension):
    """`{% generation %}` marks what an assistant said, for training; here its content is all that matters."""

    tags = {"generation"}  # noqa: RUF012 (as jinja2 declares it)

    def parse(self, parser: Parser) -> list[Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # Jinja's own filter escapes HTML, which no template wants
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)
