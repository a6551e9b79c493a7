"""What both ends of the line agree on: frames, messages, numbers. Bytes in, bytes out, no input or output.

`docs/protocol.md` is the same in prose. `frame` and `cobs` make frames; `requests`, `replies` and `messages` their
payloads; `packing` turns spins and values into bytes; `sequence` keeps requests from being executed twice. `constants`
is generated from `protocol.toml`.
"""
