"""Records of tasks other than image classification: from tables and torch Datasets to shards."""
