"""The listening room: the page that the server gives at `/`."""
