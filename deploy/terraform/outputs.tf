output "bucket" {
  description = "S3_BUCKET."
  value       = aws_s3_bucket.lake.id
}

output "region" {
  description = "AWS_REGION."
  value       = local.region
}

output "role_arn" {
  description = "The daemon's role: of the task, the instance, the service account, or client.role-arn."
  value       = aws_iam_role.daemon.arn
}

output "policy_arn" {
  description = "The same rights, to attach to a role or user that is there already."
  value       = aws_iam_policy.daemon.arn
}

output "databases" {
  description = "Glue databases: the schemas and cdc_metadata."
  value       = sort([for d in aws_glue_catalog_database.schema : d.name])
}

output "athena_workgroup" {
  description = "Workgroup for queries; null without one."
  value       = one(aws_athena_workgroup.lake[*].name)
}
