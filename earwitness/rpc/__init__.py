"""What both ends of a gRPC call share: the server, who may call it and how much, errors as statuses and back."""
