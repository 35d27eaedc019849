terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

# Region and credentials are those of the run.
provider "aws" {
  default_tags {
    tags = var.proton_tags
  }
}
