"""Images of a batch, gathered, shifted and mirrored in one pass over memory."""

from numba import njit


@njit(nogil=True, cache=True)
def shifted(images, rows, down, right, mirror, width, channels, out):  # type: ignore[no-untyped-def]
    """Write images that were moved by whole pixels, zeros where nothing comes from, then mirrored.

    Args:
        images: of a data set (num, height · width · channels).
        rows: those of the batch (b,).
        down: pixels by which each moves down (b,), up where negative.
        right: pixels by which each moves right (b,), left where negative.
        mirror: which are mirrored left to right (b,).
        width: pixels of a row.
        channels: numbers of a pixel.
        out: (b, height · width · channels), overwritten.
    """
    line = width * channels
    height = images.shape[1] // line
    for k in range(rows.size):
        image, target = images[rows[k]], out[k]
        target[:] = 0
        begin, end = max(0, right[k]), width + min(0, right[k])
        for y in range(max(0, down[k]), height + min(0, down[k])):
            first = (y - down[k]) * line + (begin - right[k]) * channels
            source = image[first : first + (end - begin) * channels]
            if mirror[k]:
                row = target[
                    y * line + (width - end) * channels : (y + 1) * line - begin * channels
                ]
                for x in range(end - begin):
                    at = (end - begin - 1 - x) * channels
                    for c in range(channels):
                        row[at + c] = source[x * channels + c]
            else:
                row = target[y * line + begin * channels : y * line + end * channels]
                for c in range(source.size):
                    row[c] = source[c]
