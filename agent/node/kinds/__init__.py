"""What differs on a node by what a dataset is: a tree or a device. Nobody else asks which it is."""
