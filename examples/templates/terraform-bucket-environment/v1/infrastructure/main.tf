locals {
  inputs = var.environment.inputs
}

resource "aws_s3_bucket" "shared" {
  for_each = toset(local.inputs.buckets)

  # Names are the whole world's: AWS completes this one.
  bucket_prefix = "${substr(replace(lower(var.environment.name), "_", "-"), 0, 15)}-${each.key}-"
  force_destroy = local.inputs.delete_contents
  tags          = { purpose = each.key }
}

resource "aws_s3_bucket_public_access_block" "shared" {
  for_each = aws_s3_bucket.shared

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "shared" {
  for_each = aws_s3_bucket.shared

  bucket = each.value.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "shared" {
  for_each = aws_s3_bucket_versioning.shared

  bucket = each.value.bucket
  rule {
    id     = "replaced-objects"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = local.inputs.keep_versions_days
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}
