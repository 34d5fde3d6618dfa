"""PDF bytes in, PDF bytes or a report out.

`intake` looks at raw bytes, `prepare` makes a file ready (`place` reads the letter), `sign` and `stamp` append to it,
`verify` judges any file (`guard`, `changes`, `report`), `pictures` shows pages; `sandbox` runs any of this with limits.
Only `_pyhanko` knows pyHanko.
"""
