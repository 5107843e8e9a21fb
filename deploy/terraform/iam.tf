data "aws_iam_policy_document" "trust" {
  dynamic "statement" {
    for_each = length(var.trusted_services) > 0 ? [1] : []

    content {
      actions = ["sts:AssumeRole", "sts:TagSession"]

      principals {
        type        = "Service"
        identifiers = var.trusted_services
      }
    }
  }

  dynamic "statement" {
    for_each = length(var.trusted_principals) > 0 ? [1] : []

    content {
      actions = ["sts:AssumeRole"]

      principals {
        type        = "AWS"
        identifiers = var.trusted_principals
      }
    }
  }

  dynamic "statement" {
    for_each = var.oidc_provider_arn == null ? [] : [1]

    content {
      actions = ["sts:AssumeRoleWithWebIdentity"]

      principals {
        type        = "Federated"
        identifiers = [var.oidc_provider_arn]
      }

      condition {
        test     = "StringEquals"
        variable = "${element(split("oidc-provider/", var.oidc_provider_arn), 1)}:sub"
        values   = var.oidc_subjects
      }

      condition {
        test     = "StringEquals"
        variable = "${element(split("oidc-provider/", var.oidc_provider_arn), 1)}:aud"
        values   = ["sts.amazonaws.com"]
      }
    }
  }
}

resource "aws_iam_role" "daemon" {
  name               = var.name
  assume_role_policy = data.aws_iam_policy_document.trust.json
  tags               = var.tags
}

data "aws_iam_policy_document" "daemon" {
  statement {
    sid       = "Bucket"
    actions   = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [aws_s3_bucket.lake.arn]
  }

  # DeleteObject: what expired snapshots and lost attempts leave.
  statement {
    sid       = "Objects"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = ["${aws_s3_bucket.lake.arn}/*"]
  }

  statement {
    sid = "Catalog"

    actions = [
      "glue:GetDatabase",
      "glue:GetTable",
      "glue:GetTables",
      "glue:CreateTable",
      "glue:UpdateTable",
    ]

    resources = concat(
      ["${local.glue}:catalog"],
      [for d in local.databases : "${local.glue}:database/${d}"],
      [for d in local.databases : "${local.glue}:table/${d}/*"],
    )
  }

  # `calve check` makes a table of its own and removes it; a run drops nothing.
  statement {
    sid     = "Check"
    actions = ["glue:DeleteTable"]

    resources = [
      "${local.glue}:catalog",
      "${local.glue}:database/cdc_metadata",
      "${local.glue}:table/cdc_metadata/calve_check_*",
    ]
  }

  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [1]

    content {
      sid       = "Key"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [var.kms_key_arn]
    }
  }
}

resource "aws_iam_policy" "daemon" {
  name        = var.name
  description = "What calve may do: objects of ${var.bucket}, tables of its Glue databases."
  policy      = data.aws_iam_policy_document.daemon.json
  tags        = var.tags
}

resource "aws_iam_role_policy_attachment" "daemon" {
  role       = aws_iam_role.daemon.name
  policy_arn = aws_iam_policy.daemon.arn
}
