"""The model server and `load_model`: verified bytes only. Its own processes; knows domain, proof and MLflow alone.

Three processes serve one (environment, model). The *supervisor* owns the address, swaps versions and brings back what
dies; it loads nothing. The *launcher* has MLflow imported and forks. A *child*, the model server proper, verifies the
bytes, loads one version and answers. Deployers speak to the supervisor through its control socket.
"""
