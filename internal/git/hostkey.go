package git

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// sshConfig is who we are to a host, and how we know it.
func (r Remote) sshConfig(address *url.URL) (*ssh.ClientConfig, error) {
	signer, err := r.signer()
	if err != nil {
		return nil, err
	}
	known, err := r.knownHosts()
	if err != nil {
		return nil, err
	}
	user := address.User.Username()
	if user == "" {
		user = defaultUser
	}
	host := hostOf(address)
	check := known.HostKeyCallback()
	return &ssh.ClientConfig{
		User: user,
		Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: func(name string, from net.Addr, key ssh.PublicKey) error {
			return r.checked(host, key, check(name, from, key))
		},
		// A host has several keys: it is asked for one of those that are known.
		HostKeyAlgorithms: known.HostKeyAlgorithms(host),
	}, nil
}

func (r Remote) signer() (ssh.Signer, error) {
	if r.PrivateKey == "" {
		return nil, refuse(v1alpha1.ReasonAuthFailed, "%s is read over ssh, and there is no key for it; name a Secret with ssh-privatekey and known_hosts in source.git.secretRef", r)
	}
	signer, err := ssh.ParsePrivateKey([]byte(r.PrivateKey))
	if missing := new(ssh.PassphraseMissingError); errors.As(err, &missing) {
		if r.Passphrase == "" {
			return nil, refuse(v1alpha1.ReasonAuthFailed, "the private key for %s is protected by a passphrase, and there is none; put it into the Secret of source.git.secretRef as passphrase, or use a key without one", r)
		}
		signer, err = ssh.ParsePrivateKeyWithPassphrase([]byte(r.PrivateKey), []byte(r.Passphrase))
	}
	if errors.Is(err, x509.IncorrectPasswordError) {
		return nil, refuse(v1alpha1.ReasonAuthFailed, "the passphrase does not open the private key for %s; correct passphrase in the Secret of source.git.secretRef", r)
	}
	if err != nil {
		return nil, refuse(v1alpha1.ReasonAuthFailed, "the private key for %s cannot be read: it must be in PEM, as ssh-keygen writes it; correct ssh-privatekey in the Secret of source.git.secretRef", r)
	}
	return signer, nil
}

// knownHosts reads the keys by way of a file, because the library knows no other.
func (r Remote) knownHosts() (*knownhosts.HostKeyDB, error) {
	if strings.TrimSpace(r.KnownHosts) == "" {
		return nil, refuse(v1alpha1.ReasonHostKeyUnknown, "%s is read over ssh, and nothing says which key its host has; %s", r, r.remedy())
	}
	file, err := os.CreateTemp("", "lockstep-known-hosts-")
	if err != nil {
		return nil, fmt.Errorf("keeping the keys of hosts: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }() // what is left over lies in a temporary folder
	_, err = file.WriteString(r.KnownHosts)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("keeping the keys of hosts: %w", err)
	}
	known, err := knownhosts.NewDB(file.Name())
	if err != nil {
		return nil, refuse(v1alpha1.ReasonHostKeyUnknown, "known_hosts for %s cannot be read: %s; %s", r, strings.ReplaceAll(err.Error(), file.Name(), "known_hosts"), r.remedy())
	}
	return known, nil
}

// remedy says how known_hosts is filled.
func (r Remote) remedy() string {
	scan := "ssh-keyscan"
	if address, err := r.parse(); err == nil {
		if port := address.Port(); port != "" {
			scan += " -p " + port
		}
		scan += " " + address.Hostname()
	}
	return fmt.Sprintf("put what `%s` prints, once you have compared it with what the host publishes, into the Secret of source.git.secretRef as known_hosts", scan)
}

// checked words what known_hosts says of a key.
func (r Remote) checked(host string, key ssh.PublicKey, err error) error {
	switch {
	case err == nil:
		return nil
	case knownhosts.IsHostKeyChanged(err):
		return r.hostKeyChanged(host, fmt.Sprintf("the key %s (%s), and known_hosts has another one", ssh.FingerprintSHA256(key), key.Type()))
	case knownhosts.IsHostUnknown(err):
		return refuse(v1alpha1.ReasonHostKeyUnknown, "known_hosts for %s does not know %s, which has the key %s (%s); %s", r, host, ssh.FingerprintSHA256(key), key.Type(), r.remedy())
	}
	return refuse(v1alpha1.ReasonHostKeyChanged, "the key %s of %s is not accepted for %s: %v; %s", ssh.FingerprintSHA256(key), host, r, err, r.remedy())
}

func (r Remote) hostKeyChanged(host, how string) error {
	return refuse(v1alpha1.ReasonHostKeyChanged, "%s, where %s lies, answers with %s: somebody may stand in between, and nothing was sent; if the host did get a new key, %s", host, r, how, r.remedy())
}

// unshaken says why two could not come together.
func (r Remote) unshaken(host string, err error) error {
	if own := (*Error)(nil); errors.As(err, &own) {
		return own
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "no common algorithm for host key"):
		return r.hostKeyChanged(host, "keys of other kinds than known_hosts has")
	case strings.Contains(text, "unable to authenticate"):
		return refuse(v1alpha1.ReasonAuthFailed, "%s refuses the key; check ssh-privatekey in the Secret of source.git.secretRef, and that its public half may read the repository (a deploy key)", r)
	}
	return err
}
