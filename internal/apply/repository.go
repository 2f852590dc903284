package apply

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/git"
)

// remote is the Stack's repository, with the credentials of the one Secret that the Stack names for it, which is read with
// the rights of its ServiceAccount.
func (a *Applier) remote(ctx context.Context, stack *v1alpha1.Stack) (git.Remote, error) {
	remote := git.Remote{URL: stack.Spec.Source.Git.URL, AllowFile: a.AllowFileURLs}
	ref := stack.Spec.Source.Git.SecretRef
	if ref == nil {
		return remote, nil
	}
	team, err := a.team(stack)
	if err != nil {
		return remote, err
	}
	secret := &corev1.Secret{}
	key := types.NamespacedName{Namespace: stack.Namespace, Name: ref.Name}
	err = team.Get(ctx, key, secret)
	if apierrors.IsNotFound(err) {
		return remote, refuse(v1alpha1.ReasonSecretMissing,
			"Secret %s, which source.git.secretRef names, does not exist; make it: kubectl create secret generic %s --namespace %s %s",
			key, key.Name, key.Namespace, keysFor(remote))
	}
	if err != nil {
		return remote, asTeam(stack, stack.Namespace, "reading Secret "+key.String()+" of source.git.secretRef", err)
	}
	return remote, remoteCredentials(&remote, key, secret.Data)
}

// keysFor is how a Secret for the repository is filled.
func keysFor(remote git.Remote) string {
	if remote.UsesSSH() {
		return "--type kubernetes.io/ssh-auth --from-file ssh-privatekey=… --from-file known_hosts=…"
	}
	return "--from-literal username=… --from-literal password=…"
}

func remoteCredentials(remote *git.Remote, key types.NamespacedName, data map[string][]byte) (err error) {
	if remote.UsesSSH() {
		return sshCredentials(remote, key, data)
	}
	remote.Username, remote.Password, err = credentials(key, data)
	return err
}

// sshCredentials takes what a Secret of type kubernetes.io/ssh-auth holds, or identity in its place, as Flux has it, with
// known_hosts beside either. A passphrase is called so, or password.
func sshCredentials(remote *git.Remote, key types.NamespacedName, data map[string][]byte) error {
	remote.PrivateKey = firstOf(data, corev1.SSHAuthPrivateKey, "identity")
	remote.Passphrase = firstOf(data, "passphrase", "password")
	remote.KnownHosts = firstOf(data, "known_hosts")
	switch {
	case remote.PrivateKey == "":
		return refuse(v1alpha1.ReasonSecretMissing,
			"Secret %s, which source.git.secretRef names, has no ssh-privatekey, and %s is read over ssh; put the private key into it (identity is taken too)", key, remote)
	case remote.KnownHosts == "":
		return refuse(v1alpha1.ReasonSecretMissing,
			"Secret %s, which source.git.secretRef names, has no known_hosts, without which the host of %s cannot be told from others; put what ssh-keyscan prints into it, once you have compared it with what the host publishes", key, remote)
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

// credentials takes a password, or a token in its place; the user name may be left out beside either.
func credentials(key types.NamespacedName, data map[string][]byte) (user, password string, err error) {
	password = string(data["password"])
	if password == "" {
		password = string(data["token"])
	}
	if password == "" {
		return "", "", refuse(v1alpha1.ReasonSecretMissing,
			"Secret %s, which source.git.secretRef names, has neither password nor token; put one of these keys into it", key)
	}
	return string(data["username"]), password, nil
}

// reasoned turns an error of a leaf package that says what people must change into a Refusal.
func reasoned(err error) error {
	var leaf interface{ Reason() string }
	if !errors.As(err, &leaf) {
		return err
	}
	return refuse(leaf.Reason(), "%s", err.Error())
}
