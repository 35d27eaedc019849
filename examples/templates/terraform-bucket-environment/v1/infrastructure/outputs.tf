# Maps and lists keep their types: a service template reads environment.outputs.BucketNames.uploads.
output "BucketNames" {
  description = "The names of the buckets, by what they are for."
  value       = { for purpose, bucket in aws_s3_bucket.shared : purpose => bucket.id }
}

output "BucketArns" {
  description = "Their ARNs, for the policies of those who use them."
  value       = { for purpose, bucket in aws_s3_bucket.shared : purpose => bucket.arn }
}

output "Purposes" {
  value = local.inputs.buckets
}
