package git

import (
	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Authenticate takes the credentials that a Secret holds: username and password (or a token in its place), or, over ssh,
// what a Secret of type kubernetes.io/ssh-auth holds (or identity in its place, as Flux has it), with known_hosts beside it,
// and perhaps a passphrase. The Secret's name is for people.
func (r *Remote) Authenticate(secret string, data map[string][]byte) error {
	if r.UsesSSH() {
		return r.takeKey(secret, data)
	}
	r.Username, r.Password = string(data["username"]), firstOf(data, "password", "token")
	if r.Password == "" {
		return refuse(v1alpha1.ReasonSecretMissing,
			"Secret %s, which source.git.secretRef names, has neither password nor token; put one of these keys into it", secret)
	}
	return nil
}

func (r *Remote) takeKey(secret string, data map[string][]byte) error {
	r.PrivateKey = firstOf(data, "ssh-privatekey", "identity")
	r.Passphrase = firstOf(data, "passphrase", "password")
	r.KnownHosts = firstOf(data, "known_hosts")
	switch {
	case r.PrivateKey == "":
		return refuse(v1alpha1.ReasonSecretMissing,
			"Secret %s, which source.git.secretRef names, has no ssh-privatekey, and %s is read over ssh; put the private key into it (identity is taken too)", secret, r)
	case r.KnownHosts == "":
		return refuse(v1alpha1.ReasonSecretMissing,
			"Secret %s, which source.git.secretRef names, has no known_hosts, without which the host of %s cannot be told from others; put what ssh-keyscan prints into it, once you have compared it with what the host publishes", secret, r)
	}
	return nil
}

func firstOf(data map[string][]byte, names ...string) string {
	for _, name := range names {
		if len(data[name]) > 0 {
			return string(data[name])
		}
	}
	return ""
}
