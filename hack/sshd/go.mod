module imagebuild/sshd

go 1.26.8

require golang.org/x/crypto v0.57.0

require golang.org/x/sys v0.48.0 // indirect
