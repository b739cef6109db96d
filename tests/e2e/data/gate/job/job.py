"""A nightly job: sums the orders of a month and writes a report."""
import sys

from shop import orders, report


def main():
    month = sys.argv[1]
    table = orders.by_customer("job/orders.csv", month)
    if not table:
        print(f"job: no orders in {month}", file=sys.stderr)
        return 1
    report.write(f"report-{month}.txt", month, table)
    print(f"{len(table)} customers, {sum(table.values())} pieces")
    return 0


sys.exit(main())
