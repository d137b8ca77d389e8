"""What is done ahead of a sale by the clock: scaled out, warmed up, looked at; and scaled back after it."""
