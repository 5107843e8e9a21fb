# What calve needs in an AWS account: a bucket, Glue databases, a role with no more rights than that,
# and a workgroup to look at the tables with Athena.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name
  databases = setunion(var.schemas, ["cdc_metadata"])
  glue      = "arn:${local.partition}:glue:${local.region}:${local.account}"
}
