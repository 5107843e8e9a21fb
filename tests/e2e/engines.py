"""Engines that read and write tables in a place on S3: Spark, and Trino in Athena's stead."""

import datetime
import itertools
import os
import pathlib
import sys

import pytest

import services
from aws import ACCESS, SECRET

_numbers = itertools.count(1)


class Spark:
    """One session; each place becomes a catalog of it. Its JVM ends with this process."""

    def __init__(self, folder, memory="1g"):
        home = str(services.spark_home())
        if home not in sys.path:
            sys.path.append(home)
        os.environ["JAVA_HOME"] = str(pathlib.Path(services.java()).resolve().parents[1])
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
        os.environ["SPARK_HOME"] = f"{home}/pyspark"
        from pyspark.sql import SparkSession  # pylint: disable=import-outside-toplevel,import-error

        keys = f"-Daws.accessKeyId={ACCESS} -Daws.secretAccessKey={SECRET} -Daws.region=none"
        settings = {
            "spark.driver.memory": memory, "spark.ui.enabled": "false", "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1", "spark.sql.shuffle.partitions": "1",
            "spark.sql.catalogImplementation": "in-memory", "spark.sql.warehouse.dir": f"{folder}/warehouse",
            "spark.local.dir": f"{folder}/local", "spark.sql.session.timeZone": "UTC",
            "spark.jars": ",".join(map(str, services.jars("spark"))),
            "spark.driver.extraJavaOptions": f"-XX:+UseSerialGC {keys}",
            "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"}
        builder = SparkSession.builder.master("local[1]").appName("tests")
        for name, value in settings.items():
            builder = builder.config(name, value)
        self.session = builder.getOrCreate()
        self.session.sparkContext.setLogLevel("ERROR")

    def catalog(self, place):
        """The name of a catalog that is the place's."""
        name = f"place{next(_numbers)}"
        settings = {"io-impl": "org.apache.iceberg.aws.s3.S3FileIO", "s3.endpoint": place.s3.url,
                    "s3.path-style-access": "true", "s3.access-key-id": ACCESS, "s3.secret-access-key": SECRET,
                    "client.region": place.s3.region, "warehouse": place.warehouse, "cache-enabled": "false"}
        if place.kind == "rest":
            settings |= {"type": "rest", "uri": place.catalog.url}
        else:
            settings |= {"type": "glue", "glue.endpoint": place.catalog.url, "client.credentials-provider":
                         "software.amazon.awssdk.auth.credentials.SystemPropertyCredentialsProvider"}
        self.session.conf.set(f"spark.sql.catalog.{name}", "org.apache.iceberg.spark.SparkCatalog")
        for key, value in settings.items():
            self.session.conf.set(f"spark.sql.catalog.{name}.{key}", value)
        return name

    def query(self, statement):
        return [tuple(row) for row in self.session.sql(statement).collect()]

    def close(self):
        self.session.stop()
        gateway = self.session.sparkContext._gateway  # pylint: disable=protected-access
        gateway.shutdown()
        process = gateway.proc
        process.stdin.close()  # what its JVM waits for
        process.wait(60)


class TrinoEngine:
    """One server; each place becomes a catalog of it."""

    def __init__(self):
        self.server = services.Trino().start()

    def catalog(self, place):
        name = f"place{next(_numbers)}"
        settings = {"fs.native-s3.enabled": "true", "s3.endpoint": place.s3.url, "s3.region": place.s3.region,
                    "s3.path-style-access": "true", "s3.aws-access-key": ACCESS, "s3.aws-secret-key": SECRET}
        if place.kind == "rest":
            settings |= {"iceberg.catalog.type": "rest", "iceberg.rest-catalog.uri": place.catalog.url}
        else:
            settings |= {"iceberg.catalog.type": "glue", "hive.metastore.glue.endpoint-url": place.catalog.url,
                         "hive.metastore.glue.region": place.s3.region, "hive.metastore.glue.aws-access-key": ACCESS,
                         "hive.metastore.glue.aws-secret-key": SECRET}
        options = ", ".join(f"\"{k}\" = '{v}'" for k, v in settings.items())
        self.server.query(f"CREATE CATALOG {name} USING iceberg WITH ({options})")
        return name

    def query(self, statement, catalog=None):
        return [tuple(row) for row in self.server.query(statement, catalog)]

    def close(self):
        self.server.remove()


def read_events(engine, catalog, schema, table):
    """Rows of a data table as [(event_type, microseconds, log_file, log_position, payload)], by position."""
    if isinstance(engine, Spark):
        at = "unix_micros(CAST(`timestamp` AS TIMESTAMP))"
    else:
        at = "CAST(to_unixtime(\"timestamp\") * 1000000 AS BIGINT)"
    return engine.query(f"SELECT event_type, {at}, log_file, log_position, payload FROM {catalog}.{schema}.{table} "
                        "ORDER BY log_file, log_position, payload")


def micros(at):
    return (at - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1)


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    engine = Spark(tmp_path_factory.mktemp("spark"))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def trino():
    """Asked for by CALVE_TEST_TRINO=1, as it takes 500 MB of disk and a long while."""
    if os.environ.get("CALVE_TEST_TRINO") != "1":
        pytest.skip("NOT RUN: Trino is asked for by CALVE_TEST_TRINO=1")
    engine = TrinoEngine()
    yield engine
    engine.close()


@pytest.fixture(params=["spark", "trino"])
def engine(request):
    return request.getfixturevalue(request.param)
