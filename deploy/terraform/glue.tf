# One database for each schema, and one for the watermarks. calve makes the tables.
resource "aws_glue_catalog_database" "schema" {
  for_each = local.databases

  name         = each.value
  location_uri = "s3://${aws_s3_bucket.lake.id}/${var.connection_name}/${each.value}"
  tags         = var.tags
}
