"""What needs a model to be heard: a recogniser says where something sounds, and how sure it is of that."""
