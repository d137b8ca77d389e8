"""All orders as a file: how the rows look, and how they are sent."""
