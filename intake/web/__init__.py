"""What every resource uses: the applications, problems, bodies, parameters, times, the contract. Owns no route."""
