"""What is applied to a cluster: the image. The manifests' tests are beside their command's."""
