"""The timeline as a person, or a pipe, gets it."""

import io
import re
import time

from ipwatch.demo.timeline import Change, Timeline

CHANGE = Change("changed", "25.7.44.90", 0.0, published=0.4, verified=1.25, mailed=None)


def test_a_pipe_gets_plain_lines():
    """Without a terminal there is no escape sequence and no space at a line's end."""
    out = io.StringIO()
    timeline = Timeline(out)
    timeline.scene("1  One")
    timeline.step("dns", "home.demo.example A 25.7.44.90", cause=time.monotonic() - 2)
    timeline.step("house", "the line is down")
    timeline.quote("word " * 40)
    timeline.fault("no mail")
    timeline.summary([CHANGE], [("mails", "1", True)])
    text = out.getvalue()
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 100
    assert all(line == line.rstrip() for line in text.splitlines())
    assert re.search(r"^  0\.\d\d s   \+2\.\d\d s   dns      home\.demo\.example A 25\.7\.44\.90$", text, re.MULTILINE)
    assert re.search(r"^  0\.\d\d s {13}FAILED   no mail$", text, re.MULTILINE)


def test_colour_changes_no_column():
    """With colour the same text stands at the same columns, and every colour is put back."""
    plain, coloured = io.StringIO(), io.StringIO()
    for out, colour in ((plain, False), (coloured, True)):
        timeline = Timeline(out, colour=colour)
        timeline.step("ipwatch", "starts", cause=None)
        timeline.step("mail", "a mail", cause=time.monotonic())
        timeline.summary([CHANGE], [("wrong addresses published", "1", False)])
    text = coloured.getvalue()
    assert text.count("\x1b[0m") == text.count("\x1b[") / 2 > 0
    bare = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert re.sub(r"\d\.\d", "", bare) == re.sub(r"\d\.\d", "", plain.getvalue())


def test_the_summary_says_what_never_happened():
    """A figure that is missing is a dash, in its column."""
    out = io.StringIO()
    Timeline(out).summary([CHANGE], [])
    row = next(line for line in out.getvalue().splitlines() if "25.7.44.90" in line)
    assert row.split()[-3:] == ["0.40", "1.25", "-"]


def test_a_poor_character_set_is_no_fault():
    """What the stream's character set lacks is replaced."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    Timeline(out).say("Grüße")
    assert raw.getvalue() == b"Gr??e\n"
