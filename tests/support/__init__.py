"""What tests share: copies of the project, small data sets, and servers on this machine."""
