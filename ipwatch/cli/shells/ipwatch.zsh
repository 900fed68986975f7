#compdef ipwatch
# Completion of ipwatch for zsh. For this shell:      source <(ipwatch completion zsh)
# For every new one:    ipwatch completion zsh >DIRECTORY/_ipwatch, with a DIRECTORY of your $fpath

_ipwatch() {
    local line word
    local -a found
    for line in "${(@f)$("${(Q)words[1]/#\~/$HOME}" __complete "${(@Q)words[2,CURRENT-1]}" ".${(Q)PREFIX}" 2>/dev/null)}"; do
        word=${line%%$'\t'*}
        if [[ $word == :files ]]; then
            [[ -n ${line#*$'\t'} ]] && compset -P '*='
            _files
            return
        fi
        [[ -n $word ]] && found+=("${word//:/\\:}:${line#*$'\t'}")
    done
    (( $#found )) && _describe -t ipwatch ipwatch found
}

if [[ ${funcstack[1]} == _ipwatch ]]; then
    _ipwatch "$@"
else
    (( ${+functions[compdef]} )) || { autoload -Uz compinit && compinit; }
    compdef _ipwatch ipwatch
fi
