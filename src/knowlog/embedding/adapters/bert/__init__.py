"""What models of BERT's form share: a fused int8 network, made once beside the data, run on this machine's CPU."""
