resource "aws_athena_workgroup" "lake" {
  count = var.athena_workgroup ? 1 : 0

  name          = var.name
  description   = "Queries of the tables that calve writes."
  force_destroy = var.force_destroy
  tags          = var.tags

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location = "s3://${aws_s3_bucket.lake.id}/athena-results/"

      encryption_configuration {
        encryption_option = var.kms_key_arn == null ? "SSE_S3" : "SSE_KMS"
        kms_key_arn       = var.kms_key_arn
      }
    }
  }
}

# The account's own Glue catalog under a name of its own; AwsDataCatalog is the same one.
resource "aws_athena_data_catalog" "lake" {
  count = var.athena_workgroup ? 1 : 0

  name        = replace(var.name, "-", "_")
  description = "Glue catalog of the tables that calve writes."
  type        = "GLUE"
  tags        = var.tags

  parameters = {
    "catalog-id" = local.account
  }
}
