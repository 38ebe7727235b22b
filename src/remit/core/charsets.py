"""Character sets of foreign texts: those that are taken at their name, and the marks by which a text says its own."""

from __future__ import annotations

import re

_KNOWN = re.compile(
    r"(?:utf-?8(?:-sig)?|utf-?16(?:le|be)?|us-ascii|ascii|latin-?1|iso-?8859-\d{1,2}|windows-(?:125\d|874)|cp125\d"
    r"|koi8-[ru]|macintosh|gb2312|gbk|gb18030|big5(?:-hkscs)?|shift[_-]jis|euc-(?:jp|kr)|iso-2022-jp)\Z"
)
"""Those of the web. Python knows more, some of which take quadratic time or are no character sets at all."""

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def is_charset(name: str) -> bool:
    """Whether a name, in lower case, is that of a character set that texts are read in."""
    return _KNOWN.match(name) is not None


def marked(data: bytes) -> str:
    """The character set that a byte order mark says; empty where there is none."""
    return next((name for mark, name in _MARKS if data.startswith(mark)), "")
