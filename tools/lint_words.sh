#!/bin/bash
# Nothing of one machine in what is committed: its paths, its mirrors; nothing generated, nothing put off.
set -u
cd "$(dirname "$0")/.." || exit 1

failed=0
files() {
    git ls-files -z --cached --others --exclude-standard 2> /dev/null || find . -type f -print0
}
forbid() { # pattern, reason
    # The brackets in the patterns keep this file from finding itself.
    if files | xargs -0 grep -nIE -- "$1" 2> /dev/null; then
        echo "  ^ $2"
        failed=1
    fi
}
forbid '(^|[^A-Za-z0-9_./~}])/(wor[k]|roo[t]|hom[e]/[a-z]+)/' 'a path of one machine'
forbid '\.\./share[d]' 'a path outside the project'
forbid '(pypi[.]org|pythonhosted[.]org|repo1?[.]maven|registry[.]npmjs|proxy[.]golang|(deb|security|snapshot)[.]debian[.]org)' \
    'the address of a registry: clients know theirs'
forbid '(TOD[O]|FIXM[E])' 'put off: do it or write it in docs/'

generated=$(files | tr '\0' '\n' | grep -E '(^|/)(build|lake|__pycache__|\.pytest_cache)/|\.(o|a|so|pyc|gcda|gcno|orig|rej)$')
if [ -n "$generated" ]; then
    echo "$generated"
    echo "  ^ generated: not to be committed"
    failed=1
fi
exit $failed
