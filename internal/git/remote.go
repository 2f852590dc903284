package git

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport/http"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Remote is a repository, and the credentials that its host, and no other, is shown.
type Remote struct {
	// URL of the repository: http, https, ssh (git@host:path too) or, with AllowFile, file.
	URL string
	// Username and Password, or a token as the password. They go before credentials in the URL.
	Username, Password string
	// PrivateKey in PEM, Passphrase of it where it has one, and KnownHosts, the keys of hosts as OpenSSH keeps them: what
	// ssh takes in place of a password. The host's key is always checked.
	PrivateKey, Passphrase, KnownHosts string
	// AllowFile permits file:// URLs, which read the disk of this process.
	AllowFile bool
}

// defaultUser stands beside a token: forges ask for a name, and most ignore which.
const defaultUser = "git"

// String is the URL without what could be secret in it: user, query and fragment.
func (r Remote) String() string {
	parsed, err := r.parse()
	if err != nil {
		return "the URL of the repository"
	}
	return (&url.URL{Scheme: parsed.Scheme, Host: parsed.Host, Path: parsed.Path}).String()
}

// address checks the URL, and takes the credentials out of it.
func (r Remote) address() (*url.URL, error) {
	parsed, err := r.parse()
	if err != nil {
		return nil, refuse(v1alpha1.ReasonRepoUnreachable, "source.git.url is not a URL; it looks like https://git.example.com/shop.git")
	}
	switch {
	case parsed.Scheme == "ssh" && parsed.Host != "" && parsed.Path != "":
		return parsed, nil
	case (parsed.Scheme == "http" || parsed.Scheme == "https") && parsed.Host != "":
	case parsed.Scheme == "file" && !r.AllowFile:
		return nil, refuse(v1alpha1.ReasonRepoUnreachable, "%s lies on a disk, and such repositories are not read here; give it an https:// URL", r)
	case parsed.Scheme == "file" && parsed.Host == "" && parsed.Path != "":
	default:
		return nil, refuse(v1alpha1.ReasonRepoUnreachable, "%s cannot be read: the URL must begin with https://host/, http://host/, ssh://git@host/ or file:///, or be of the form git@host:path", r)
	}
	parsed.User = nil
	return parsed, nil
}

// scpLike is git@host:path, which is no URL; what comes after the colon is a path from where the host puts git.
var scpLike = regexp.MustCompile(`^([A-Za-z0-9._-]+)@([A-Za-z0-9._-]+):([^/].*)$`)

// UsesSSH is whether the repository is read over ssh, with a key in place of a password.
func (r Remote) UsesSSH() bool {
	parsed, err := r.parse()
	return err == nil && parsed.Scheme == "ssh"
}

func (r Remote) parse() (*url.URL, error) {
	if part := scpLike.FindStringSubmatch(r.URL); part != nil {
		return &url.URL{Scheme: "ssh", User: url.User(part[1]), Host: part[2], Path: part[3]}, nil
	}
	return url.Parse(r.URL)
}

// auth is nil where there are no credentials.
func (r Remote) auth() *http.BasicAuth {
	user, password := r.Username, r.Password
	if user == "" && password == "" {
		user, password = r.inURL()
	}
	if user == "" && password == "" {
		return nil
	}
	if user == "" {
		user = defaultUser
	}
	return &http.BasicAuth{Username: user, Password: password}
}

func (r Remote) inURL() (user, password string) {
	parsed, err := r.parse()
	if err != nil || parsed.User == nil || parsed.Scheme == "ssh" {
		return "", ""
	}
	password, _ = parsed.User.Password()
	return parsed.User.Username(), password
}

// scrub takes the credentials out of what a server or a library says: some servers repeat what they were sent.
func (r Remote) scrub(text string) string {
	auth := r.auth()
	if auth == nil {
		return text
	}
	secrets := []string{base64.StdEncoding.EncodeToString([]byte(auth.Username + ":" + auth.Password))}
	for _, secret := range []string{auth.Password, r.tokenAsUser(auth)} {
		if secret != "" {
			secrets = append(secrets, secret, url.QueryEscape(secret), url.PathEscape(secret))
		}
	}
	for _, secret := range secrets {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}

// tokenAsUser is the user name where it is the secret: some forges take a token there, without a password.
func (r Remote) tokenAsUser(auth *http.BasicAuth) string {
	const placeholder = "x-oauth-basic"
	if auth.Password == "" || auth.Password == placeholder {
		return auth.Username
	}
	return ""
}
