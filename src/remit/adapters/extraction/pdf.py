"""The text of a PDF file, its pages parted by an empty line."""

from __future__ import annotations

import io

from pypdf import PdfReader


def pdf_text(data: bytes) -> tuple[str, str]:
    """Title and text. Raises whatever a broken file makes of it."""
    reader = PdfReader(io.BytesIO(data))
    title = (reader.metadata.title if reader.metadata else "") or ""
    pages = (page.extract_text().strip() for page in reader.pages)
    return str(title), "\n\n".join(page for page in pages if page)
