"""Pure codecs: bytes and text <-> values, with the RFC or manual section at each number.

Any bytes give a value or the codec's one named error; tests/protocols fuzzes each of them.
"""
