"""What hack/demo and the end-to-end tests share: they see a cluster only through KUBECONFIG and registry names."""
