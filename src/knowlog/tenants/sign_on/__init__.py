"""Single sign-on: members sign in to their tenant by its own OpenID provider."""
