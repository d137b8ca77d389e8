"""Commands of a running instance: started, looked at, ended, brought up to date."""
