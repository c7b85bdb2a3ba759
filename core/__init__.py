"""What everyone may know: types, ports, errors, settings and the artifact store. Imports nothing of ours."""
