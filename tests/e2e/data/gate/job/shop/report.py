"""Writes reports."""


def write(path, month, table):
    with open(path, "w") as file:
        file.write(f"Orders of {month}\n")
        for customer in sorted(table):
            file.write(f"{customer:10} {table[customer]:5}\n")
