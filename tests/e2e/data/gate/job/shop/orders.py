"""Reads orders."""
import csv


def by_customer(path, month):
    table = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            if row["date"].startswith(month):
                table[row["customer"]] = table.get(row["customer"], 0) + int(row["pieces"])
    return table
