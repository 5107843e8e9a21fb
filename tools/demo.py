#!/usr/bin/env python3
"""make demo: a small shop in a private MySQL 9, changing all the time; calve turns it into Iceberg
tables in ./lake; DuckDB and PyIceberg read them; at the end the lake must equal the shop, row by row.

Each step says what it runs, so that you can repeat it. The server is a process of its own, in a
temporary folder, and ends with the demo; nothing is installed, no service is touched. Only a folder
`lake` that a demo made is replaced. Exit status: 0 when the lake equals the shop.
"""

import ctypes
import datetime
import hashlib
import os
import pathlib
import random
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests/e2e")]

# pylint: disable=wrong-import-position
from lake import Lake, duckdb_connect, local_path
from oracle import Oracle
from pymysql.err import MySQLError
from servers import Server, ServerError

CALVE = ROOT / "build/calve"
LAKE = ROOT / "lake"
MARKER = LAKE / ".made-by-calve-demo"
LOG = ROOT / "build/demo.log"
LIVE_S = 10
PATIENCE_S = 60
KEYS = {"customers": ("id",), "products": ("id",), "orders": ("id",),
        "order_items": ("order_id", "line")}

SHOP = """
CREATE SCHEMA shop;
CREATE TABLE shop.customers (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(80) NOT NULL,
  email VARCHAR(120) NOT NULL,
  country CHAR(2) NOT NULL,
  born DATE NULL,
  newsletter TINYINT(1) NOT NULL DEFAULT 0,
  preferences JSON NULL
);
CREATE TABLE shop.products (
  id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(80) NOT NULL,
  price DECIMAL(10,2) NOT NULL,
  weight_kg FLOAT NOT NULL,
  labels SET('vegan','fragile','new','sale') NOT NULL,
  stock INT NOT NULL,
  picture_sha1 BINARY(20) NOT NULL
);
CREATE TABLE shop.orders (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  customer_id INT UNSIGNED NOT NULL,
  status ENUM('new','paid','shipped','delivered','cancelled') NOT NULL,
  total DECIMAL(12,2) NOT NULL,
  note TEXT NULL,
  placed_at DATETIME(6) NOT NULL,
  updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  KEY (customer_id)
);
CREATE TABLE shop.order_items (
  order_id BIGINT UNSIGNED NOT NULL,
  line TINYINT UNSIGNED NOT NULL,
  product_id SMALLINT UNSIGNED NOT NULL,
  quantity SMALLINT NOT NULL,
  unit_price DECIMAL(10,2) NOT NULL,
  PRIMARY KEY (order_id, line)
)
"""

FIRST_NAMES = ("Ada Amara Björn Carmen Chidi Daria Elif Emre Fatou Grace Hiroshi Inés Jonas Kwame Lena"
               " Łukasz Maeve Nadia Olu Priya Quentin Rosa Søren Tomás Uma Viktor Wei Xenia Yusuf Zoë").split()
LAST_NAMES = ("Abebe Bergström Costa Dubois Eriksen Fischer García Haddad Ivanova Jensen Kowalski Lindqvist"
              " Müller Nakamura Okafor Petrov Quinn Rossi Sato Türk Usman Varga Weber Xu Yilmaz Zieliński").split()
COUNTRIES = ("DE", "FR", "ES", "PL", "SE", "TR", "NG", "JP", "IE", "PT")
KINDS = ("Mug", "Teapot", "Notebook", "Lamp", "Backpack", "Scarf", "Candle", "Chess set", "Umbrella", "Blanket")
STYLES = ("blue", "oak", "linen", "copper", "travel", "winter")
NOTES = (None, None, None, "Gift: please wrap it", "Ring twice, 2nd floor", "Bitte beim Nachbarn abgeben",
         'He said: "after 5 pm"', "生日快乐 🎂", "C:\\orders\\old")


class DemoError(RuntimeError):
    """What keeps the demo from going on."""


def say(text=""):
    print(text, flush=True)


def step(title):
    say(f"\n== {title}")


def show(command):
    say("   $ " + " ".join(shlex.quote(str(w)) for w in command))


# ---- the shop ----------------------------------------------------------------------------------


def execute(connection, sql, args=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, args)
        return cursor.fetchall()


def customer(rng):
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    born = datetime.date(1950, 1, 1) + datetime.timedelta(days=rng.randrange(20_000))
    likes = rng.choice(('{"size": "M", "colours": ["green", "blue"]}', '{"limit": 99.5, "b2b": true}', None))
    return (f"{first} {last}", f"{first}.{last}{rng.randrange(1000)}@example.org".lower(),
            rng.choice(COUNTRIES), born if rng.random() < 0.8 else None, rng.random() < 0.4, likes)


def add_customers(connection, rows):
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO shop.customers (name, email, country, born, newsletter, preferences)"
                           " VALUES (%s, %s, %s, %s, %s, %s)", rows)
        return cursor.lastrowid


def place_order(connection, rng, customers, products):
    """One order with its items, in one transaction."""
    items = [(n, *rng.choice(products), rng.randrange(1, 5)) for n in range(1, rng.randrange(2, 7))]
    total = sum(price * quantity for _, _, price, quantity in items)
    connection.begin()
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO shop.orders (customer_id, status, total, note, placed_at)"
                       " VALUES (%s, 'new', %s, %s, NOW(6))", (rng.randint(1, customers), total, rng.choice(NOTES)))
        order = cursor.lastrowid
        cursor.executemany("INSERT INTO shop.order_items VALUES (%s, %s, %s, %s, %s)",
                           [(order, n, product, quantity, price) for n, product, price, quantity in items])
        for product in sorted({i[1] for i in items}):
            cursor.execute("UPDATE shop.products SET stock = stock - 1 WHERE id = %s", (product,))
    connection.commit()


def open_shop(server, rng):
    """Makes the tables and fills them; returns the products as [(id, price)]."""
    with server.connect() as connection:
        for statement in SHOP.split(";"):
            execute(connection, statement)
        add_customers(connection, [customer(rng) for _ in range(300)])
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO shop.products (name, price, weight_kg, labels, stock, picture_sha1)"
                " VALUES (%s, %s, %s, %s, 1000, %s)",
                [(f"{kind}, {style}", f"{rng.randrange(500, 20_000) / 100:.2f}", rng.randrange(1, 80) / 20,
                  rng.choice(("", "vegan", "fragile,new", "new,sale")),
                  hashlib.sha1(f"{kind} {style}".encode()).digest())
                 for kind in KINDS for style in STYLES])
        products = list(execute(connection, "SELECT id, price FROM shop.products"))
        for _ in range(600):
            place_order(connection, rng, 300, products)
        return products


class Traffic:
    """Sessions that keep changing the shop until they are stopped."""

    def __init__(self, server, products, sessions=2):
        self.server = server
        self.products = products
        self.transactions = 0
        self.failure = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._session, args=(n,), daemon=True)
                         for n in range(sessions)]

    def _change(self, connection, rng):
        """One transaction of a kind that shops have."""
        dice = rng.random()
        if dice < 0.5:
            place_order(connection, rng, 300, self.products)
        elif dice < 0.8:
            execute(connection, "UPDATE shop.orders SET status = status + 1 WHERE status < 4"
                                " ORDER BY RAND(%s) LIMIT %s", (rng.randrange(1000), rng.randrange(1, 6)))
        elif dice < 0.9:
            execute(connection, "UPDATE shop.customers SET newsletter = 1 - newsletter,"
                                " preferences = JSON_SET(COALESCE(preferences, '{}'), '$.visits', %s)"
                                " WHERE id = %s", (rng.randrange(100), rng.randint(1, 300)))
        elif dice < 0.95:
            add_customers(connection, [customer(rng)])
        else:
            connection.begin()
            for (order,) in execute(connection, "SELECT id FROM shop.orders ORDER BY id LIMIT 1 OFFSET %s"
                                                " FOR UPDATE", (rng.randrange(300),)):
                execute(connection, "DELETE FROM shop.order_items WHERE order_id = %s", (order,))
                execute(connection, "DELETE FROM shop.orders WHERE id = %s", (order,))
            connection.commit()

    def _session(self, number):
        rng = random.Random(number)
        try:
            with self.server.connect() as connection:
                while not self._stop.is_set():
                    try:
                        self._change(connection, rng)
                    except MySQLError as e:
                        if e.args[0] not in (1205, 1213):  # two sessions in each other's way: try another
                            raise
                        connection.rollback()
                        continue
                    with self._lock:
                        self.transactions += 1
                    self._stop.wait(0.004)
        except Exception as e:  # pylint: disable=broad-exception-caught
            self.failure = e  # told by stop()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self.failure is not None:
            raise DemoError(f"the shop's traffic failed: {self.failure}")

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()


# ---- calve -------------------------------------------------------------------------------------


def die_with_us():
    """In the child: a demo that is killed leaves no calve behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG


class Calve:
    """The program in the background, its log in a file."""

    def __init__(self, server, *words):
        command = [CALVE.relative_to(ROOT), "run", "--source", server.url(), "--table", "shop.*",
                   "--warehouse", "./lake", *words]
        show(command)
        with open(LOG, "ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen(
                [*command, "--log-format", "text", "--progress", "never"], cwd=ROOT, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, preexec_fn=die_with_us, env=clean_environment())

    def log(self):
        with open(LOG, "rb") as log:
            log.seek(self.log_start)
            return log.read().decode("utf-8", "replace")

    def commits(self):
        return self.log().count(" cut.committed ")

    def check_alive(self):
        if self.process.poll() is not None:
            raise DemoError(f"calve ended with status {self.process.returncode}:\n{self.log()[-3000:]}")

    def wait(self):
        """Waits for a good end; returns the last line of its log."""
        try:
            status = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise DemoError(f"calve did not end within {PATIENCE_S} s:\n{self.log()[-3000:]}") from None
        if status != 0:
            raise DemoError(f"calve ended with status {status}:\n{self.log()[-3000:]}")
        return self.log().strip().splitlines()[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def clean_environment():
    """Ours without what would be a setting of calve."""
    return {k: v for k, v in os.environ.items()
            if not k.startswith(("CALVE_", "CDC_", "MYSQL_", "PYICEBERG_", "AWS_"))
            and k not in ("CONNECTION_NAME", "S3_BUCKET", "BATCH_SIZE")}


def clear_lake():
    """An empty ./lake: only one that a demo made is removed."""
    if LAKE.is_symlink() or (LAKE.exists() and not MARKER.is_file()):
        if LAKE.is_symlink() or not LAKE.is_dir() or any(LAKE.iterdir()):
            raise DemoError(f"{LAKE} is there, and no demo made it: move it away, then try again")
    if LAKE.exists():
        shutil.rmtree(LAKE)
    LAKE.mkdir()
    MARKER.write_text("Made by tools/demo.py, which removes this folder when it runs again.\n", encoding="utf-8")
    LOG.unlink(missing_ok=True)


# ---- reading the lake --------------------------------------------------------------------------


def print_table(names, rows):
    def cell(value):
        text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
        return text if len(text) <= 72 else text[:71] + "…"

    cells = [[cell(v) for v in row] for row in rows]
    widths = [max(len(line[i]) for line in [names, *cells]) for i in range(len(names))]
    for line, source in zip([names, *cells], [None, *rows]):
        padded = [text.rjust(w) if source is not None and isinstance(source[i], int) else text.ljust(w)
                  for i, (text, w) in enumerate(zip(line, widths))]
        say("   " + "  ".join(padded).rstrip())


def query(connection, sql, tables):
    """Prints a query and its rows; the name of a table stands for its place in the lake."""
    say("\n" + "\n".join("   " + line for line in sql.strip().splitlines()))
    for name, location in tables.items():
        sql = sql.replace(f"lake.{name}", f"iceberg_scan('{location}')")
    cursor = connection.execute(sql)
    print_table([d[0] for d in cursor.description], cursor.fetchall())


def current_state(connection, location, key):
    """{key: payload}: of each row its last change, unless that took it away."""
    columns = ", ".join(f"payload->>'{k}'" for k in key)
    rows = connection.execute(f"""
        SELECT {columns}, payload FROM iceberg_scan('{location}')
        QUALIFY row_number() OVER (PARTITION BY {columns} ORDER BY log_file DESC, log_position DESC) = 1
            AND event_type <> 'delete'""").fetchall()
    return {tuple(int(v) for v in row[:-1]): row[-1] for row in rows}


def read_with_duckdb(connection, tables):
    step("DuckDB reads the tables")
    say("   iceberg_scan() of a table's newest metadata file; lake.orders stands for\n"
        f"   iceberg_scan('{tables['orders']}')")
    query(connection, "SELECT event_type, count(*) AS rows, min(timestamp) AS first, max(timestamp) AS last\n"
                      "FROM lake.orders GROUP BY ALL ORDER BY rows DESC", tables)
    query(connection, "SELECT event_type, log_position, payload->>'status' AS status, payload\n"
                      "FROM lake.orders WHERE event_type <> 'backfill'\n"
                      "ORDER BY log_file DESC, log_position DESC LIMIT 4", tables)
    query(connection, """
WITH now AS (
    SELECT * FROM lake.orders
    QUALIFY row_number() OVER (PARTITION BY payload->>'id' ORDER BY log_file DESC, log_position DESC) = 1
        AND event_type <> 'delete')
SELECT payload->>'status' AS status, count(*) AS orders, sum((payload->>'total')::DECIMAL(14,2)) AS total
FROM now GROUP BY status ORDER BY orders DESC""", tables)


def read_with_pyiceberg(lake):
    step("PyIceberg reads the watermarks: what each table is complete up to")
    say(f"   SqlCatalog('default', uri='sqlite:///{lake.warehouse}/catalog.db')\n"
        "   .load_table('cdc_metadata.watermarks').scan().to_arrow()\n")
    rows = lake.table("cdc_metadata", "watermarks").scan().to_arrow().to_pylist()
    names = ["schema", "table", "log_file", "log_position", "backfill_complete", "updated_at"]
    print_table(names, [[r[n] for n in names] for r in sorted(rows, key=lambda r: r["table"])])


def compare(server, lake, connection, tables):
    """Whether the lake's current state is the shop's, byte for byte of each row's JSON."""
    step("Is it right? Each row of the shop beside the last word of the lake about it")
    oracle = Oracle(server)
    report, differences = [], []
    for name, key in KEYS.items():
        source = oracle.by_key("shop", name, key)
        state = current_state(connection, tables[name], key)
        wrong = [k for k in source.keys() | state.keys() if source.get(k) != state.get(k)]
        changes = len(lake.table("shop", name).scan(selected_fields=("event_type",)).to_arrow())
        report.append([f"shop.{name}", changes, len(state), len(source), len(wrong)])
        differences += [(name, k, source.get(k), state.get(k)) for k in sorted(wrong)[:5]]
    oracle.close()
    print_table(["table", "changes in the lake", "rows they lead to", "rows in MySQL", "that differ"], report)
    for name, k, ours, theirs in differences:
        say(f"   {name} {k}\n      MySQL: {ours}\n      lake:  {theirs}")
    return not differences and all(row[3] > 0 for row in report)


# ---- the demo ----------------------------------------------------------------------------------


def live(server, products):
    """The shop changes; calve copies, follows, is stopped, goes on, and catches up."""
    with Traffic(server, products) as traffic:
        step("calve copies the four tables and follows every change; the shop stays open")
        with Calve(server, "--commit-interval", "1s") as calve:
            started = time.monotonic()
            for second in range(2, LIVE_S + 1, 2):
                time.sleep(max(0.0, started + second - time.monotonic()))
                calve.check_alive()
                say(f"   {second:2} s: the shop has made {traffic.transactions:5,} transactions,"
                    f" calve {calve.commits():2} commits")
            step("It is stopped by SIGTERM: it commits what it has and ends. The shop stays open")
            asked = time.monotonic()
            calve.process.terminate()
            last = calve.wait()
            say(f"   ended after {time.monotonic() - asked:.1f} s, with its last log line\n   {last}")
        missed = traffic.transactions
        time.sleep(1.5)
        traffic.stop()
        step(f"The shop has closed after {traffic.transactions - missed:,} transactions that calve did not"
             " see. It catches up")
        with Calve(server, "--until", "current") as calve:
            say(f"   {calve.wait()}")


def hints():
    step("Where to look next")
    python = subprocess.run([ROOT / "tools/deps.sh", "python"], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                            check=True).stdout.strip()
    say(f"""\
   lake/                 the tables: data/*.parquet, metadata/*.json and *.avro, catalog.db; kept
   build/demo.log        what calve wrote while it ran
   build/calve inspect table shop.orders --warehouse ./lake
   build/calve run --help
   tools/servers.py start mysql-9        a server of your own to try it on
   {python}   a Python with DuckDB and PyIceberg
   README.md, ARCHITECTURE.md            the life of a row, and the rest""")


def main():
    if not CALVE.exists():
        raise DemoError(f"{CALVE} is not there: run make")
    started = time.monotonic()
    clear_lake()
    step("A private MySQL 9 with a small shop")
    with Server("mysql-9") as server:
        products = open_shop(server, random.Random(42))
        say(f"   {server.url()}  (root, no password; it ends with the demo)\n"
            f"   300 customers, {len(products)} products, 600 orders with their items;"
            " two sessions now change them all the time")
        live(server, products)
        lake = Lake(LAKE)
        tables = {name: local_path(lake.table("shop", name).metadata_location) for name in KEYS}
        with duckdb_connect() as connection:
            read_with_duckdb(connection, tables)
            read_with_pyiceberg(lake)
            right = compare(server, lake, connection, tables)
    if right:
        say(f"\n   The lake equals the shop. ({time.monotonic() - started:.0f} s)")
    else:
        say("\n   THE LAKE DIFFERS FROM THE SHOP.")
    hints()
    return 0 if right else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("demo: ended by SIGTERM"))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\ndemo: interrupted")
    except (DemoError, ServerError) as e:
        sys.exit(f"demo: {e}")
