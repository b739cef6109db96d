"""Writes reports, in small pieces and from the end."""
import os


def write(path, month, table):
    text = f"Orders of {month}\n"
    for customer in sorted(table):
        text += f"{customer:10} {table[customer]:5}\n"
    data = text.encode()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    half = len(data) // 2
    os.pwrite(fd, data[half:], half)
    for at in range(0, half, 7):
        os.pwrite(fd, data[at:min(at + 7, half)], at)
    os.close(fd)
