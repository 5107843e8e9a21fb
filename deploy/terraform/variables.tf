variable "name" {
  description = "Prefix of the names of what is made here."
  type        = string
  default     = "calve"

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,30}$", var.name))
    error_message = "Use up to 31 lower-case letters, digits and dashes."
  }
}

variable "bucket" {
  description = "Bucket of the tables: S3_BUCKET of the service. It is made here."
  type        = string
}

variable "connection_name" {
  description = "CONNECTION_NAME of the service: the tables' folder in the bucket."
  type        = string
  default     = "local_mysql"
}

variable "schemas" {
  description = "MySQL schemas that are replicated, in lower case; each is a Glue database."
  type        = set(string)

  validation {
    condition     = alltrue([for s in var.schemas : can(regex("^[a-z0-9_]{1,255}$", s))])
    error_message = "Glue takes lower-case letters, digits and underscores."
  }
}

variable "kms_key_arn" {
  description = "KMS key of the bucket; null: keys of S3 (SSE-S3)."
  type        = string
  default     = null
}

variable "trusted_principals" {
  description = "Who may take the daemon's role: ARNs of roles or users. Empty: only the services and OIDC subjects below."
  type        = list(string)
  default     = []
}

variable "trusted_services" {
  description = "AWS services that may take the role: ecs-tasks.amazonaws.com, ec2.amazonaws.com, pods.eks.amazonaws.com."
  type        = list(string)
  default     = ["ecs-tasks.amazonaws.com"]
}

variable "oidc_provider_arn" {
  description = "OIDC provider of an EKS cluster for IRSA; null: none."
  type        = string
  default     = null
}

variable "oidc_subjects" {
  description = "Service accounts that may take the role, as system:serviceaccount:NAMESPACE:NAME."
  type        = list(string)
  default     = []
}

variable "athena_workgroup" {
  description = "Make an Athena workgroup with a place for its results."
  type        = bool
  default     = true
}

variable "athena_results_days" {
  description = "Days until results of Athena queries are removed."
  type        = number
  default     = 7
}

variable "force_destroy" {
  description = "Let terraform destroy remove a bucket that has objects in it."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags on everything that takes tags."
  type        = map(string)
  default     = {}
}
