"""Great Expectations' pages with their data escaped; its own view inserts table cells and lists unescaped."""

from __future__ import annotations

import html
from typing import Any

from great_expectations.render.view import DefaultJinjaPageView
from jinja2 import pass_context


class EscapedPageView(DefaultJinjaPageView):
    """A page on which every text is text; parameters of templates Great Expectations escapes itself."""

    @pass_context
    def render_content_block(self, jinja_context: Any, content_block: Any, *place: Any, **options: Any) -> Any:
        """The block as HTML; a text, in a list too, or a mapping that is no block, escaped."""
        if isinstance(content_block, str):
            return html.escape(content_block)
        if isinstance(content_block, list):
            content_block = [html.escape(part) if isinstance(part, str) else part for part in content_block]
        if isinstance(content_block, dict) and "content_block_type" not in content_block:
            return html.escape(str(content_block))
        return super().render_content_block(jinja_context, content_block, *place, **options)
