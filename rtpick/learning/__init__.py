"""From labelled and unlabelled recordings to the weights of a network."""
