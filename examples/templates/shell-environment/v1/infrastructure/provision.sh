#!/bin/sh
# Makes the site and the token in the folder that stays from run to run, and leaves the outputs.
# What is as it should be is left alone: running it twice is running it once.
set -eu
umask 077

state=$PROTIUM_STATE_DIR

# ---- the token ----------------------------------------------------------------------------------

# A new one at first, and when its version changes. It is whole or not there, whenever this is stopped: the file comes
# into its place by its new name, and its version after it.
version=$(cat "$state/token-version" 2>/dev/null || echo none)
if [ ! -s "$state/token" ] || [ "$version" != "$TOKEN_VERSION" ]; then
  od -An -tx1 -N32 /dev/urandom | tr -d ' \n' >"$state/token.new"
  mv "$state/token.new" "$state/token"
  echo "$TOKEN_VERSION" >"$state/token-version"
  echo "made the token of version $TOKEN_VERSION"
fi

# ---- the site -----------------------------------------------------------------------------------

# page FILE HEADING: one page; its content comes from standard input.
page() {
  {
    printf '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>%s</title>\n' "$2"
    printf '<h1>%s</h1>\n' "$2"
    cat
    printf '</html>\n'
  } >"$new/$1"
}

# contents FOLDER: one line that says what is in it: a hash over the names and the hashes of its files.
contents() { (cd "$1" && find . -type f | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -d ' ' -f 1); }

case " $PAGES " in
  *' index '*)
    echo 'pages: index is the first page, which is always there: leave it out' >&2
    exit 1
    ;;
esac

new=$state/site.new
rm -rf "$new"
mkdir "$new"
page_count=1
{
  echo '<ul>'
  for name in $PAGES; do echo "<li><a href=\"$name.html\">$name</a></li>"; done
  echo '</ul>'
} | page index.html "$TITLE_HTML"
for name in $PAGES; do
  echo '<p><a href="index.html">Back</a></p>' | page "$name.html" "$TITLE_HTML: $name"
  page_count=$((page_count + 1))
done
if [ "$ROBOTS" = true ]; then rule='Allow: /'; else rule='Disallow: /'; fi
printf 'User-agent: *\n%s\n' "$rule" >"$new/robots.txt"

hash=$(contents "$new")
revision=$(cat "$state/revision" 2>/dev/null || echo 0)
if [ -d "$state/site" ] && [ "$(contents "$state/site")" = "$hash" ]; then
  rm -rf "$new"
  echo "the site is as it should be (revision $revision)"
else
  revision=$((revision + 1))
  echo "$revision" >"$state/revision"
  rm -rf "$state/site"
  mv "$new" "$state/site"
  echo "made revision $revision of the site"
fi

# ---- outputs ------------------------------------------------------------------------------------

# Outputs are shown to whoever may read the environment: of the token they say which one it is, not what it is.
fingerprint=$(sha256sum "$state/token" | cut -c 1-16)
cat >proton-outputs.json <<END
{
  "Title": $TITLE_JSON,
  "Pages": $PAGES_JSON,
  "PageCount": $page_count,
  "Revision": $revision,
  "SearchEngines": $ROBOTS,
  "SiteHash": "$hash",
  "TokenFingerprint": "$fingerprint"
}
END
